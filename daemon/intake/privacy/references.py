"""Tells numbers of things, such as orders and versions, from numbers of people, by what stands beside them."""

import re
from typing import NamedTuple


class Span(NamedTuple):
    """The place of a match."""

    start: int
    end: int


#: How far before a number the words may begin that say what it is.
_BEFORE = 40
_NUMBERED = (
    r"(?:order|invoice|ticket|tracking|parcel|package|shipment|consignment|reference|ref|confirmation|booking|receipt|waybill|awb|"
    r"reservation|transaction|serial|sku|ean|gtin|upc|isbn|asin|rma|bestellung|bestell|auftrags?|rechnungs?|sendungs?|"
    r"pedido|factura|commande|facture)s?[\s_-]*(?:numbers?|num|no|nr|nummer|id|code)?"
)
#: Words that also mean something else: they need the word for a number.
_NUMBERED_IF_SAID = (
    r"(?:case|claim|contract|policy|part|item|article|product|model|purchase|account|customer|po|so)[\s_-]*"
    r"(?:number|num|no|nr|id|code|#)"
)
_CHINESE = "(?:订单|运单|快递|物流|发票|工单|流水|合同|序列|批次|预约|案件|交易|货|型|条|取件|单|编)(?:单|编)?[号码]{1,2}|订单"
#: The word, what may stand between it and its number, and the beginning of a code such as ORD-.
_OF_A_THING = re.compile(
    rf"(?:\b(?:{_NUMBERED}|{_NUMBERED_IF_SAID})|{_CHINESE})"
    r"[\"'”’]?\s*[.:：#=№]*\s*(?:is|was|ist|es|est|are|为|是)?\s*[.:：#=№'\"“「(\[]*\s*(?:[A-Za-z]{1,5}[-_]?)?\Z",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"(?:#|№|\b(?!(?:tel|phone|fax|mob|cell|ph|wa|call)[-_])[A-Za-z]{1,6}[-_])\Z", re.IGNORECASE
)
_WITHOUT_EXTENSION = re.compile(r"[^,;#xe]*")
_GROUPED = re.compile(r"[ ()+.-]")
_LONGEST_DOTTED = 15
_DOTTED = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)")
_VERSIONED = (
    "v|ver|version|release|build|firmware|driver|rev|revision|patch|section|sec|chapter|clause|article|figure|table|step|"
    "oid|chrome|firefox|safari|edge|opera|windows|android|ios|macos|python|java|node|nginx|apache|docker|php|mysql|office"
)
_VERSION_BEFORE = re.compile(
    rf"(?:\b(?:{_VERSIONED})(?:\s+(?:number|no|nr))?|版本|固件|驱动|章|节|条|第|§)[\"'”]?\s*[.:：=]?\s*(?:is|was|ist|为|是)?"
    r"\s*[\"'“]?\Z|(?<=[A-Za-z])(?<!\bip)(?<!host)(?<!server)[/_-]\Z",
    re.IGNORECASE,
)
_VERSION_AFTER = re.compile(
    r"[-+]?(?:rc|beta|alpha|dev|snapshot|preview|build)\b| ?(?:版本?|节|章)", re.IGNORECASE
)


def is_reference(text: str, span: Span) -> bool:
    """Return whether a number is that of an order, a parcel and the like: its word stands right before it.

    A number that is written as people write those of phones and cards, in groups or with a plus, is none.
    """
    number = _WITHOUT_EXTENSION.match(text, span.start, span.end)
    if number is None or _GROUPED.search(number[0].strip("()")):
        return False
    before = text[max(0, span.start - _BEFORE) : span.start]
    return _CODE.search(before) is not None or _OF_A_THING.search(before) is not None


def is_version(text: str, start: int, end: int) -> bool:
    """Return whether four numbers with dots are those of a version or a section, as the text beside them says."""
    before, after = text[max(0, start - _BEFORE) : start], text[end : end + 12]
    return _VERSION_BEFORE.search(before) is not None or _VERSION_AFTER.match(after) is not None


def is_dotted(text: str, span: Span) -> bool:
    """Return whether a number is within four numbers with dots: an address, a mask or a version, and no phone number."""
    around = _DOTTED.search(text, max(0, span.start - _LONGEST_DOTTED), span.end + _LONGEST_DOTTED)
    return around is not None and around.start() < span.end and span.start < around.end()

"""Knows contacts that are not personal: those of the firm, as the settings name them."""

import re
from ipaddress import ip_address, ip_network

from phonenumbers import NumberParseException, format_number, parse
from phonenumbers import PhoneNumberFormat as Format

from daemon.config.settings import KeepSection

_NO_DIGITS = re.compile(r"\D+")


class AllowList:
    """The e-mail addresses, phone numbers and IP addresses of ``hygiene.keep``, however a text writes them."""

    def __init__(self, keep: KeepSection, regions: tuple[str, ...]) -> None:
        self._emails = frozenset(email.casefold() for email in keep.emails)
        self._domains = tuple(domain.casefold().lstrip("@.") for domain in keep.domains)
        self._networks = tuple(ip_network(address, strict=False) for address in keep.addresses)
        self._phones = frozenset(form for phone in keep.phones for form in _forms(phone, regions))

    def has_email(self, text: str) -> bool:
        """Return whether an e-mail address is listed, itself or by its domain or one above."""
        address = text.casefold()
        domain = address.rpartition("@")[2]
        return address in self._emails or any(
            domain == listed or domain.endswith("." + listed) for listed in self._domains
        )

    def has_phone(self, text: str) -> bool:
        """Return whether a phone number is listed, with or without its country code."""
        return _NO_DIGITS.sub("", text) in self._phones

    def has_address(self, text: str) -> bool:
        """Return whether an IP address is in a listed range."""
        address = ip_address(text)
        return any(address in network for network in self._networks)


def _forms(phone: str, regions: tuple[str, ...]) -> set[str]:
    """Return the digits of a number in each way that it may be written."""
    found = {_NO_DIGITS.sub("", phone)}
    for region in (None, *regions):
        try:
            number = parse(phone, region)
        except NumberParseException:
            continue
        international = format_number(number, Format.E164)
        national = format_number(number, Format.NATIONAL)
        found |= {_NO_DIGITS.sub("", form) for form in (international, national, f"00{international}")}
        found.add(str(number.national_number))
    return found

"""Composes, of recognisers and allow-lists, what is redacted. Imported when the first suspicious text arrives."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from daemon.config.settings import HygieneSection
from daemon.domain.personal_data import PersonalData
from daemon.intake.privacy import recognisers
from daemon.intake.privacy.allow_list import AllowList
from daemon.intake.privacy.references import Span, is_dotted, is_reference

Recognise: TypeAlias = Callable[[str], Iterable[Span]]


def recognition(hygiene: HygieneSection) -> Mapping[PersonalData, Recognise]:
    """Return what finds each kind of personal data in a text."""
    regions, kept = hygiene.phone_regions, AllowList(hygiene.keep, hygiene.phone_regions)

    def cards(text: str) -> Iterator[Span]:
        return (span for span in recognisers.cards(text) if not is_reference(text, span))

    def phones(text: str) -> Iterator[Span]:
        found = _without(kept.has_phone, recognisers.phones(text, regions, is_reference), text)
        return (span for span in found if not is_dotted(text, span) and not is_reference(text, span))

    return {
        PersonalData.SECRET: recognisers.secrets,
        PersonalData.EMAIL: lambda text: _without(kept.has_email, recognisers.emails(text), text),
        PersonalData.IBAN: recognisers.ibans,
        PersonalData.NATIONAL_ID: recognisers.national_ids,
        PersonalData.CARD: cards,
        PersonalData.IP: lambda text: _without(kept.has_address, recognisers.ip_addresses(text), text),
        PersonalData.PHONE: phones,
    }


def _without(is_kept: Callable[[str], bool], found: Iterable[Span], text: str) -> Iterator[Span]:
    return (span for span in found if not is_kept(text[span.start : span.end]))

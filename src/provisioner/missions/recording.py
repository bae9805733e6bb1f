"""Recording under a contract: the text that an entry rests on is in the log before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioner.ledger.entry import Draft

if TYPE_CHECKING:
    from provisioner.ledger.book import Book
    from provisioner.model.contract import LoadedContract

NAMING = ("contract", "opened", "refused", "ticket")
"""The kinds of entries that name the text of the contract they rest on: the last of them is near the end of a log."""


def under(book: Book, contract: LoadedContract, draft: Draft) -> tuple[Draft, ...]:
    """Return what is to be appended for a draft that rests on a contract.

    That is the draft alone, or behind a `contract` entry when this text is not the last one that the log names; the
    text is kept then.
    """
    last = book.last(*NAMING)
    if last is not None and contract.digest in (last.body.get("digest"), last.body.get("contract_digest")):
        return (draft,)
    book.keep_contract(contract.text)
    named = {"contract": contract.versions[0].contract.id, "digest": contract.digest}
    return (Draft("contract", draft.at, draft.operator, named), draft)

"""Addresses as the head of a mail takes them; it sends none."""

from email.errors import MessageError
from email.headerregistry import Address


def header_address(text: str) -> Address:
    """An address for To or Reply-To. Raises ValueError for what no header can carry."""
    try:
        address = Address(addr_spec=text)
    except (IndexError, MessageError) as error:
        # What the library does with some addresses that are none.
        raise ValueError("not an address") from error
    if address.addr_spec != text:
        # A comment, which it leaves out (RFC 5322 3.2.2): another address than that of the row.
        raise ValueError("not an address")
    return address

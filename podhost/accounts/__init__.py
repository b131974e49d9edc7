"""Accounts: who may act here and how they prove who they are."""

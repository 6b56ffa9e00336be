"""Bulk classification: listing -> manifest -> cascade (Ray Data) -> predictions, summary and report."""

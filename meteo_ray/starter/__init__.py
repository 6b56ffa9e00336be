"""Models that come with the package: made small here."""

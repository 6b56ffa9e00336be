"""From station files to one panel of daily values with units, every defect named."""

"""What is written on a chart: lines by OCR in a guarded process, and the title, times, level and centre among them."""

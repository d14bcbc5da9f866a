"""What is kept: records, their vocabulary, their fold, where they lie."""

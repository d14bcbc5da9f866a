"""COS on the laptop: objects as plain files, an index for LIST, the vendor's own signatures and errors."""

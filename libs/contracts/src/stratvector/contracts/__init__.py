"""The nouns on the wire: generated code in `v1`, and the codecs that translate it."""

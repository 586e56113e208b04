"""One queue file on disk: opened, written, migrated, compacted, recovered."""

"""A show as plain files: in a folder, or in an archive that is asked for."""

"""A show's place on the web: what its owner says of it; pages are made in web/site/."""

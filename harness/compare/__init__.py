"""Two settings compared over pairs of runs. Pure: from digests of runs to a word with reasons."""

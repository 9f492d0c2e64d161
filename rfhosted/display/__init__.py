"""What a notebook shows: drawn images, labels, HTML and plots. Nothing here sends or parses."""

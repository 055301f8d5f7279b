"""Images and their texts: where they come from, which classes they have, and how they are split."""

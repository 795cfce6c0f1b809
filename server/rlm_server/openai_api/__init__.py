"""OpenAI's API with a recursive language model behind it: requests translated, runs kept, replies in its forms."""

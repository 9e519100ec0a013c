"""What prompts and repository tell without being asked: claims that nobody declared. Pure."""

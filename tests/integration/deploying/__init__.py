"""What the pages about deploying tell people to do, done."""

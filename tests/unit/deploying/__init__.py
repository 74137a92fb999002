"""The pages about deploying, compared with the settings that their figures come from."""

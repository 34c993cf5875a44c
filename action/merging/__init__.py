"""Merging the images of several jobs into one image for all their platforms."""

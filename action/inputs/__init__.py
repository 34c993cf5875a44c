"""What the user asks for: the inputs of docker/build-push-action and ours, read and checked."""

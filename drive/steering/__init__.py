"""Steering: the network that turns an image of the road into an angle, from data to evaluation."""

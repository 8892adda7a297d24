"""Many videos at once: processes on this machine or a Ray cluster, and a manifest to go on from.

Knows tasks, processes and folders' names; not what is done with a video.
"""

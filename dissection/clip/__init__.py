"""The second labeler: which concept's CLIP scores follow a unit (CLIP-Dissect).

Oikarinen and Weng, ICLR 2023: images and concepts are embedded by CLIP, and a unit is called by
the concept whose scores over the probe images resemble its activations most. Nothing here knows
label pixels or IoU.
"""

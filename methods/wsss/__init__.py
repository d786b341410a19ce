"""Machinery shared by weakly supervised methods: CAM, label mining, dense CRF, pixel affinity and random walks."""

"""How long stages take, before they are submitted: measured on this machine, or computed from published figures."""

"""What methods plan: stages, checks of settings and costs. Nothing here imports torch."""

"""Auto-correlation of denoising residuals."""

"""What is lost by reducing dimensions, with a wide or a thin coordinate."""

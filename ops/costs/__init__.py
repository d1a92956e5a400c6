"""What `imagify cost` and `imagify capacity` reckon with: quantities, prices, limits, tables."""

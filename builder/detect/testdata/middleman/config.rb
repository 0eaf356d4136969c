activate :autoprefixer

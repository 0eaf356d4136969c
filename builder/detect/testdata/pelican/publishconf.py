from pelicanconf import *
OUTPUT_PATH = 'www'

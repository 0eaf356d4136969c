AUTHOR = 'ann'

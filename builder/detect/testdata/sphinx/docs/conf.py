project = 'Manual'

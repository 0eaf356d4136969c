set :build_dir, 'build'

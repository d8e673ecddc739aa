"""The library as pages: one offline file (`page`), or a local server (`serving`)."""

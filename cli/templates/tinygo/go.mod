module job-name

go 1.21

// Keeps the library from being empty; the fakes that need no source of their own are headers.

"""Scaffolds: new plugins and projects, made of the templates beside this file."""

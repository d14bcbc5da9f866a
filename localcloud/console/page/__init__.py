"""What the browser loads: one page, its styles and its modules, without a build step and without the internet."""

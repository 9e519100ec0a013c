"""The manifest: `orchestra.yaml`, front matter and `prompts/` in, `orchestra.model.tasks.Manifest` out."""

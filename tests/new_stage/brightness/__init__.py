"""The smallest stage that judges images: how bright is a chart? Its label is in the pixels themselves."""

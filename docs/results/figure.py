"""Figures as SVG: panels with the number of workers along the lower edge, to the base 2."""
import math


class Panel:
    def __init__(self, box, heading, workers, value_range):
        """box: left, top, width, height in pixels; workers: the numbers to write; value_range: lowest and highest value of the other axis, as `scale` has it."""
        self.left, self.top, self.width, self.height = box
        self.most = max(2, workers[-1])
        self.lowest, self.highest = value_range
        self.parts = ['<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#999"/>' % box]
        self.text(self.left, self.top - 12, heading, weight="bold")
        for number in workers:
            self.text(self.x(number), self.top + self.height + 16, "%d" % number, "middle")
        self.text(self.left + self.width / 2, self.top + self.height + 34, "workers", "middle")

    def scale(self, value):
        return value

    def x(self, workers):
        return self.left + 20 + (self.width - 40) * math.log2(workers) / math.log2(self.most)

    def y(self, value):
        """What is outside is drawn at the edge."""
        share = (self.scale(value) - self.lowest) / (self.highest - self.lowest)
        return self.top + self.height * (1 - min(max(share, 0), 1))

    def tick(self, value, label):
        y = self.y(value)
        self.parts.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/>' % (self.left, self.left + self.width, y, y))
        self.text(self.left - 6, y + 4, label, "end")

    def text(self, x, y, text, anchor="start", colour="#333", weight="normal"):
        self.parts.append('<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s" font-weight="%s">%s</text>' % (x, y, anchor, colour, weight, text))

    def line(self, points, colour, dashed=False):
        self.parts.append('<polyline fill="none" stroke="%s" stroke-width="1.5"%s points="%s"/>' % (
            colour, ' stroke-dasharray="4 3"' if dashed else "", " ".join("%.1f,%.1f" % (self.x(m), self.y(v)) for m, v in points)))

    def dots(self, points, colour):
        """Hollow where the value is outside."""
        for workers, value in points:
            inside = self.lowest <= self.scale(value) <= self.highest
            self.parts.append('<circle cx="%.1f" cy="%.1f" r="3" fill="%s" stroke="%s"/>' % (self.x(workers), self.y(value), colour if inside else "#fff", colour))

    def bar(self, workers, low, high, colour):
        x = self.x(workers)
        self.parts.append('<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s"/>' % (x, x, self.y(low), self.y(high), colour))


class LogPanel(Panel):
    """The other axis is to the base 2, too, and so is value_range."""

    def scale(self, value):
        return math.log2(value)


def write(path, size, panels):
    parts = [part for panel in panels for part in panel.parts]
    with open(path, "w", encoding="utf-8") as file:
        file.write('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">\n' % size +
                   '<rect width="%d" height="%d" fill="#fff"/>\n%s\n</svg>\n' % (*size, "\n".join(parts)))

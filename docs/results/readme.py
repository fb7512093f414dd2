"""Tables in a README.md: a script writes what stands between <!-- NAME --> and <!-- end -->."""


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"] + ["| " + " | ".join(row) + " |" for row in rows]


def put(path, name, lines):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    mark = "<!-- %s -->\n" % name
    before, rest = text.split(mark)
    after = rest.split("<!-- end -->", 1)[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + mark + "\n".join(lines) + "\n<!-- end -->" + after)

"""The code blocks of a Markdown page, and which of them are not to be run."""

import ast
import dataclasses
import re

# Fences of these languages hold data, or text for the eye.
DATA = {"json", "yaml", "toml", "text"}
SHELL = {"bash", "sh", "shell", "console"}
# First words by which an indented block is known for a shell's.
PROGRAMS = {"tfgalaxy", "make", "python", "pip", "docker", "printf", "curl", "kubectl", "sbatch", "apt-get", "git"}
MARK = re.compile(r"<!-- not run: (\S.*?) -->")
FENCE = re.compile(r"^```(\w*)\s*$")


@dataclasses.dataclass(frozen=True)
class Block:
    """Code on a page.

    Attributes:
        line: number of the line above the code.
        language: "python", "shell", one of `DATA`, or "" where it cannot be told.
        code: without its indentation.
        reason: why it is not run, by the comment `<!-- not run: REASON -->` above it; "" without one.
    """

    line: int
    language: str
    code: str
    reason: str = ""


def code_blocks(text):
    """All fenced and indented blocks of a page, in order."""
    lines, found, reason, index = text.splitlines(), [], "", 0
    while index < len(lines):
        fence = FENCE.match(lines[index])
        indented = lines[index].startswith("    ") and (index == 0 or not lines[index - 1].strip())
        if fence or indented:
            end = index + 1
            while end < len(lines) and not (lines[end] == "```" if fence else _is_text(lines[end])):
                end += 1
            rows = lines[index + 1 : end] if fence else [row[4:] for row in lines[index:end]]
            code = "\n".join(rows).strip("\n") + "\n"
            found.append(Block(index + 1, _language(fence[1] if fence else "", code), code, reason))
            reason, index = "", end + bool(fence)
            continue
        mark = MARK.fullmatch(lines[index].strip())
        if mark or lines[index].strip():
            reason = mark[1] if mark else ""
        index += 1
    return found


def _is_text(line):
    return bool(line.strip()) and not line.startswith("    ")


def _language(name, code):
    if name in DATA or name == "python":
        return name
    if name in SHELL or (not name and code.split()[0] in PROGRAMS):
        return "shell"
    if name:
        return ""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return ""
    known = (ast.Import, ast.ImportFrom, ast.Assign, ast.Expr)
    return "python" if all(isinstance(node, known) for node in tree.body) else ""


def shell_lines(code):
    """The commands of a shell block: continued lines joined, comments and empty lines left out."""
    joined = code.replace("\\\n", " ")
    without = [re.sub(r"(^|\s)#.*$", "", line).strip() for line in joined.splitlines()]
    return [line for line in without if line]

"""The beginning that two texts have in common."""


def common_prefix(one: str, other: str) -> str:
    """Return the longest text that both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return one[:low]

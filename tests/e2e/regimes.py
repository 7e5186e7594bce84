"""Two invented topics that a tiny model learns in seconds: small talk in English, then shop questions in Chinese."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from daemon.domain.conversation import Conversation, Message

_PEOPLE = ("Ada", "Bob", "Chen", "Dora", "Emil", "Fatima", "Goro", "Hana")
_THINGS = ("weather", "train", "garden", "music", "coffee", "book", "dog", "game")
_GOODS = (
    "手机", "电脑", "耳机", "相机", "手表", "键盘", "背包", "雨伞", "沙发", "台灯", "毛衣", "球鞋", "窗帘", "水壶", "书架", "音箱",
)  # fmt: skip
_WISHES = (
    "退货", "发货", "保修", "开发票", "用优惠券", "换颜色", "取消订单", "修改地址", "分期付款", "上门安装", "查物流", "补差价",
    "申请售后", "加急配送", "到店自提", "寄回维修",
)  # fmt: skip
_TIMES = ("昨天", "今天早上", "上周", "前天晚上", "月初", "国庆节", "刚才", "去年冬天")


def small_talk(count: int, *, seed: int) -> Iterator[Conversation]:
    """English, about nothing in particular."""
    chance = random.Random(seed)
    for number in range(count):
        who, what, other = chance.choice(_PEOPLE), chance.choice(_THINGS), chance.choice(_THINGS)
        yield _talk(
            f"talk-{number}",
            f"Hello, I am {who}. How do you like the {what} number {number}?",
            f"Hello {who}, I like the {what}. And the {other}.",
        )


def shuffled(conversations: Iterable[Conversation], *, seed: int) -> list[Conversation]:
    """The same in an order that does not matter: the numbers in them grow, and a reader takes one partition first."""
    found = list(conversations)
    random.Random(seed).shuffle(found)
    return found


def shop_questions(count: int, *, seed: int) -> Iterator[Conversation]:
    """Chinese, about orders."""
    chance = random.Random(seed)
    for number in range(count):
        goods, wish, when = chance.choice(_GOODS), chance.choice(_WISHES), chance.choice(_TIMES)
        yield _talk(
            f"shop-{number}",
            f"我{when}买的{goods}订单{number}怎么{wish}？",
            f"您好，{when}的{goods}可以{wish}，请稍等。",
        )


def _talk(name: str, question: str, answer: str) -> Conversation:
    messages = (Message(role="user", content=question), Message(role="assistant", content=answer))
    return Conversation(conversation_id=name, at=datetime(2026, 11, 24, tzinfo=UTC), messages=messages)

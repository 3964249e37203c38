"""What are the invented townships, villages, streets and people called?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from shikong.samples.plane import generator


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FAMILIES = "王张李刘孙陈杨赵徐马于宋朱高许曹郭韩吴崔田任范丁谭邢孟鲁阎沈姜侯林"
TOWNSHIP_HEADS = _words("""
    古柳 凤鸣 新集 梁水 沙镇 堂邑 广平 乐平 胡屯 菜屯 博平 安乐 定水 石佛 寿阳 观城
    朝城 古云 十里铺 魏庄 燕塔 董杜 妹冢 徐庄 王奉 牛店 姚寨 大桥 高集 姜楼 鱼山 铜城
    单庄 贾镇 桑桥 柳林 清水 东古 北馆 万善 店子 范寨 甘屯 辛集 梁村 尹集 清平 固河
    三十里 琉璃 赵寨 姜店 杨屯 松林 老赵 康庄 魏湾 刘垓 八岔 潘庄 烟店 唐园 金郝 戴湾
    先锋 新华 青年 大辛 河店 徒骇 南关 北顺 柳泉 湖西 道口 侯营 蒋官 郑家 许营 朱老
    于集 凤凰 李海 张炉 韩集 闫寺 顾官 贺集 洪屯 肖庄 杜郎 冯屯 温陈 振兴 信发 韩屯
    肖集 杨官 赵官 新城 刘集 牛角 陈集 大桑 岳庄 东城 南陶 斜店 定远 兰沃 烟庄 崇文
    清泉 人和 鱼丘 汇鑫 三十铺 尚潘 狮子楼 侨润 博济 阿城 张秋 阎楼 七级 安集 西湖 高庙
    大布 郭屯 李台 金斗 定林 莘亭 莘州 东鲁 雁塔
""")
VILLAGE_TAILS = _words("""
    庄 村 屯 营 楼 堂 集 寨 铺 口 坊 园 桥 庙 官庄 家庄 家楼 老庄
""")
STREETS = _words("""
    东昌路 柳园路 振兴路 兴华路 建设路 花园路 卫育路 湖南路 湖北路 利民路 光岳路 聊大路 鲁化路 黄山路 长江路
    黄河路 徒骇河路 昌润路 向阳路 健康路 站前街 龙山街 奥森路 滨河路 新水河路 嫩江路 辽河路 松花江路 陈口路 重庆路
    南昌路 松桂路 财干路 郁光街 古楼街 楼东大街 楼南大街 楼西大街 楼北大街 状元街 文轩路 中华路 庐山路 华山路 泰山路
    衡山路 嵩山路 东风路 北顺路 曙光路
""")


def townships(seed: int, county: str, count: int) -> list[str]:
    """Names for the townships of a county, without their ending; no two counties share one."""
    order = generator(seed, "township names").permutation(len(TOWNSHIP_HEADS))
    start = {"371502": 0, "371503": 16, "371521": 29, "371522": 43, "371524": 59, "371525": 68, "371526": 82,
             "371581": 93}[county]  # fmt: skip
    return [TOWNSHIP_HEADS[int(order[(start + i) % len(order)])] for i in range(count)]


def village(seed: int, index: int) -> str:
    """The name of a village, by its number."""
    rng = generator(seed, "village name", index)
    head = FAMILIES[int(rng.integers(len(FAMILIES)))]
    if rng.random() < 0.4:
        head = ("东", "西", "南", "北", "前", "后", "大", "小")[int(rng.integers(8))] + head
    tail = VILLAGE_TAILS[int(rng.integers(len(VILLAGE_TAILS)))]
    return f"{head}{tail if len(tail) > 1 or len(head) > 1 else '家' + tail}"

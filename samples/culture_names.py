"""What are the venues, events and heritage sites called?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Name, type, place (lon, lat).
KNOWN_VENUES = (
    ("聊城市图书馆", "library", (115.992, 36.441)), ("聊城市文化馆", "culture_hall", (115.976, 36.461)),
    ("中国运河文化博物馆", "museum", (115.972, 36.448)), ("聊城市美术馆", "art_gallery", (115.990, 36.439)),
    ("聊城水城明珠大剧场", "theatre", (115.966, 36.452)), ("聊城市体育中心", "sports", (116.008, 36.443)),
    ("孔繁森同志纪念馆", "memorial", (115.969, 36.459)), ("傅斯年陈列馆", "memorial", (115.986, 36.459)),
    ("东昌府区图书馆", "library", (115.981, 36.466)), ("东昌府区文化馆", "culture_hall", (115.974, 36.470)),
    ("东昌府木版年画博物馆", "museum", (115.983, 36.455)), ("聊城市民文化活动中心", "culture_hall", (115.995, 36.437)),
    ("范筑先纪念馆", "memorial", (115.982, 36.457)), ("海源阁图书馆", "library", (115.983, 36.458)),
    ("张自忠将军纪念馆", "memorial", (115.708, 36.846)), ("季羡林先生资料馆", "memorial", (115.712, 36.842)),
    ("中国阿胶博物馆", "museum", (116.246, 36.328)), ("李苦禅艺术馆", "art_gallery", (116.235, 36.862)),
    ("武训纪念馆", "memorial", (115.521, 36.699)), ("鲁西北革命纪念馆", "memorial", (115.451, 36.486)),
)  # fmt: skip

#: Type: titles, types of venue that suit it, earliest and latest hour of start, length in minutes.
EVENTS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[int, int], int]] = {
    "exhibition": (
        _words("""东昌府木版年画精品展 运河记忆老照片展 聊城葫芦雕刻艺术展 黄河岸边写生作品展 临清贡砖文化展
               馆藏书画精品展 青少年科普绘本展 鲁西民间剪纸展"""),
        ("museum", "art_gallery", "library", "culture_hall", "memorial"), (9, 9), 480),
    "performance": (
        _words("""山东快书专场 豫剧《花木兰》 临清京剧惠民演出 聊城八角鼓展演 民族管弦乐音乐会 儿童剧《小运河》
               周末戏曲大舞台 柳子戏折子戏专场"""),
        ("theatre", "culture_hall", "culture_station"), (14, 19), 120),
    "lecture": (
        _words("""海源阁讲坛：藏书楼的故事 运河文化公开课 二十四节气与农事 家庭教育公益讲座 聊城古城的城与水
               非遗里的聊城 健康养生讲堂"""),
        ("library", "museum", "memorial", "culture_station"), (9, 15), 90),
    "workshop": (
        _words("""木版年画拓印体验 葫芦烙画体验课 面塑小课堂 少儿书法公益课 古琴入门体验 剪纸亲子课堂
               东阿阿胶熬制体验"""),
        ("culture_hall", "culture_station", "museum", "library"), (9, 16), 120),
    "folk": (
        _words("""伞棒舞巡演 冠县查拳展演 庙会民俗巡游 临清时调擂台 运河龙灯会 高跷秧歌会演 道口铺竹马展演"""),
        ("culture_station", "culture_hall"), (8, 17), 150),
    "film": (
        _words("""公益电影放映：孔繁森 红色经典影片展映 乡村电影夜场 少儿动画周末场 戏曲电影展映"""),
        ("culture_station", "theatre", "library"), (15, 20), 110),
}  # fmt: skip

#: Name, type, level, era, place (lon, lat), roughly.
HERITAGE: tuple[tuple[str, str, str, str, tuple[float, float]], ...] = (
    ("光岳楼", "ancient_building", "national", "明", (115.9805, 36.4565)),
    ("聊城山陕会馆", "ancient_building", "national", "清", (115.9876, 36.4490)),
    ("聊城隆兴寺铁塔", "ancient_building", "national", "宋", (115.9950, 36.4530)),
    ("景阳冈遗址", "ancient_site", "national", "新石器时代", (115.975, 36.130)),
    ("曹植墓", "ancient_tomb", "national", "三国", (116.243, 36.200)),
    ("临清运河钞关", "ancient_building", "national", "明", (115.700, 36.838)),
    ("鳌头矶", "ancient_building", "national", "明", (115.706, 36.844)),
    ("临清舍利塔", "ancient_building", "national", "明", (115.698, 36.872)),
    ("临清清真寺", "ancient_building", "national", "明", (115.695, 36.850)),
    ("教场铺遗址", "ancient_site", "national", "新石器时代", (116.165, 36.500)),
    ("尚庄遗址", "ancient_site", "national", "新石器时代", (116.255, 36.592)),
    ("七级码头及石闸", "ancient_site", "national", "明清", (115.990, 36.240)),
    ("周店船闸", "ancient_site", "national", "元", (115.972, 36.352)),
    ("阿城盐运司", "ancient_building", "provincial", "清", (115.995, 36.195)),
    ("萧城遗址", "ancient_site", "national", "宋辽", (115.470, 36.430)),
    ("武训墓及祠堂", "modern", "provincial", "清", (115.520, 36.700)),
    ("莘县燕塔", "ancient_building", "municipal", "宋始建", (115.668, 36.240)),
    ("狮子楼", "ancient_building", "municipal", "北宋始建", (115.788, 36.118)),
    ("坡里教堂", "modern", "provincial", "清", (115.720, 36.070)),
    ("海源阁", "ancient_building", "provincial", "清", (115.983, 36.458)),
    ("傅氏家祠", "ancient_building", "provincial", "清", (115.986, 36.460)),
    ("高唐文庙大成殿", "ancient_building", "provincial", "明", (116.232, 36.863)),
    ("邓庙石造像", "grotto_carving", "provincial", "北宋", (116.285, 36.300)),
    ("净觉寺", "ancient_building", "provincial", "清", (116.300, 36.285)),
    ("马本斋烈士陵园", "modern", "provincial", "1944", (115.405, 35.885)),
    ("琉璃寺烈士陵园", "modern", "provincial", "1939", (116.155, 36.730)),
    ("聊城范公祠", "modern", "municipal", "民国", (115.978, 36.455)),
    ("临清贡砖窑遗址", "ancient_site", "provincial", "明清", (115.765, 36.800)),
    ("梁水镇土闸", "ancient_site", "national", "明", (115.905, 36.585)),
    ("冠县梨园古树群", "other", "county", "清", (115.455, 36.650)),
)  # fmt: skip

#: Ending of an invented site's name, its type, and eras that it may be of.
INVENTED = (
    ("遗址", "ancient_site", ("新石器时代", "商", "周", "汉")),
    ("古城址", "ancient_site", ("战国", "汉")),
    ("汉墓", "ancient_tomb", ("汉",)),
    ("家族墓地", "ancient_tomb", ("明", "清")),
    ("古碑", "grotto_carving", ("明", "清")),
    ("石造像", "grotto_carving", ("北魏", "隋", "唐")),
    ("关帝庙", "ancient_building", ("明", "清")),
    ("石桥", "ancient_building", ("明", "清")),
    ("革命旧址", "modern", ("民国",)),
    ("老粮仓", "modern", ("1958", "1964")),
)  # fmt: skip

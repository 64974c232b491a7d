"""How fast the simulated venue is: frames out to several readers, signed orders in, and how long answers take.

    python tests/bench/venue_speed.py --seconds 20

One `hip3 sim` of 300 markets in its own process; one reader process takes the touch of all of them on several
connections, while this process sends signed orders by WebSocket posts at a steady rate. Prints one JSON line:
rates, the venue's use of one core, and the time from an order's bytes leaving to its answer.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from multiprocessing import Process, Queue
from pathlib import Path
from typing import Any

import websockets

from hip3._hip3 import Signer

WORLD = """
base = "load"
name = "bench"
description = "300 markets whose touch changes in every block, without limits"
block_ms = {block_ms}

[makers]
flicker_per_block = 1.0

[limits]
connections = 0
new_connections_per_minute = 0
messages_per_minute = 0
posts_in_flight = 0
rest_weight_per_minute = 0
"""
KEY = "{:064x}"
BATCH = 20


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def read(url: str, coins: list[str], seconds: float) -> int:
    """Frames of one connection."""
    count = 0
    async with websockets.connect(url, max_queue=4096, compression=None) as socket:
        for coin in coins:
            await socket.send(json.dumps({"method": "subscribe", "subscription": {"type": "bbo", "coin": coin}}))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await socket.recv(decode=False)
            count += 1
    return count


def readers(url: str, coins: list[str], seconds: float, connections: int, out: Queue[int]) -> None:
    async def run() -> int:
        return sum(await asyncio.gather(*(read(url, coins, seconds) for _ in range(connections))))

    out.put(asyncio.run(run()))


async def send_orders(url: str, rows: list[tuple[int, str, int]], rate: int, seconds: float) -> tuple[int, list[float]]:
    """Steady single-order posts; how many were taken, and the seconds until each answer."""
    signer = Signer(bytearray(KEY.format(1).encode()), True)
    sent: dict[int, float] = {}
    waits: list[float] = []
    async with websockets.connect(url, compression=None, max_queue=4096) as socket:

        async def hear() -> None:
            async for text in socket:
                if '"channel":"post"' in text:
                    waits.append(time.monotonic() - sent.pop(json.loads(text)["data"]["id"]))

        ears = asyncio.create_task(hear())
        began, number = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            for _ in range(BATCH):
                asset, px, decimals = rows[number % len(rows)]
                number += 1
                # An IOC far below the book: signature, nonce, margin and matching, and nothing left behind.
                order = (asset, True, px, "1", False, "Ioc", None, decimals)
                action = signer.orders([order], int(time.time() * 1000), None, number)
                sent[number] = time.monotonic()
                await socket.send(action.post.decode())
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        await asyncio.sleep(1)
        ears.cancel()
    return number, waits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=7)
    parser.add_argument("--orders-per-s", type=int, default=2000)
    parser.add_argument("--block-ms", type=int, default=100)
    asked = parser.parse_args()
    world = Path("/tmp") / f"hip3-bench-{os.getpid()}.toml"
    world.write_text(WORLD.format(block_ms=asked.block_ms), encoding="utf-8")
    address = Signer(bytearray(KEY.format(1).encode()), True).address
    command = [sys.executable, "-m", "hip3", "sim", "--port", "0", "--scenario", str(world)]
    command += ["--fund", f"{address}=1000000000"]
    venue = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert venue.stdout is not None
        told: dict[str, Any] = json.loads(venue.stdout.readline())
        from hip3.sim.scenario import load

        markets = [market for market in load(str(world)).markets() if ":" in market.coin]
        coins = [market.coin for market in markets]
        rows = [(m.asset, str(int(m.px * 9 // 10)), m.sz_decimals) for m in markets if m.px > 20]
        counted: Queue[int] = Queue()
        other = Process(target=readers, args=(told["ws_url"], coins, asked.seconds, asked.connections, counted))
        other.start()
        time.sleep(1)
        began, used = time.monotonic(), cpu_s(venue.pid)
        orders, waits = asyncio.run(send_orders(told["ws_url"], rows, asked.orders_per_s, asked.seconds - 2))
        spent, used = time.monotonic() - began, cpu_s(venue.pid) - used
        frames = counted.get()
        other.join()
        waits.sort()
        print(
            json.dumps(
                {
                    "markets": len(markets),
                    "block_ms": asked.block_ms,
                    "frames_per_s": round(frames / asked.seconds),
                    "orders_per_s": round(orders / (spent - 1)),
                    "answers": len(waits),
                    "answer_ms_p50": round(waits[len(waits) // 2] * 1000, 1),
                    "answer_ms_p99": round(waits[len(waits) * 99 // 100] * 1000, 1),
                    "venue_core_share": round(used / spent, 2),
                }
            )
        )
    finally:
        venue.terminate()
        venue.communicate()
        world.unlink()


if __name__ == "__main__":
    main()

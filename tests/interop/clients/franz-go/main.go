// franz-go with the commands of ../README.md.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

type fields map[string]any

var out = json.NewEncoder(os.Stdout)

func tell(f fields) { check(out.Encode(f)) }

func tellRecord(r *kgo.Record) {
	tell(fields{"partition": r.Partition, "offset": r.Offset, "value": string(r.Value)})
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func client(bootstrap string, options ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append(options, kgo.SeedBrokers(bootstrap))...)
	check(err)
	return made
}

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func produce(ctx context.Context, bootstrap, topic string, count int, codec string) {
	producer := client(bootstrap, kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(codecs[codec]),
		kgo.ProducerLinger(5*time.Millisecond))
	defer producer.Close()
	for i := range count {
		producer.Produce(ctx, &kgo.Record{
			Key: fmt.Appendf(nil, "k%d", i), Value: fmt.Appendf(nil, "%s-%d", codec, i),
			Headers: []kgo.RecordHeader{{Key: "n", Value: []byte(strconv.Itoa(i))}},
		}, func(_ *kgo.Record, err error) { check(err) })
	}
	check(producer.Flush(ctx))
	tell(fields{"acknowledged": count})
}

func consume(ctx context.Context, bootstrap, topic string, count int) {
	consumer := client(bootstrap, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer consumer.Close()
	for left := count; left > 0; {
		fetches := consumer.PollRecords(ctx, left)
		check(fetches.Err())
		fetches.EachRecord(tellRecord)
		left -= fetches.NumRecords()
	}
}

func member(ctx context.Context, bootstrap, topic, group string) {
	owned := map[int32]bool{}
	tellOwned := func() {
		list := []int32{}
		for partition := range owned {
			list = append(list, partition)
		}
		sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
		tell(fields{"assigned": list})
	}
	lost := func(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
		for _, partition := range gone[topic] {
			delete(owned, partition)
		}
		tellOwned()
	}
	// Its default: the cooperative sticky assignor.
	consumer := client(bootstrap, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.BlockRebalanceOnPoll(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(200*time.Millisecond),
		kgo.SessionTimeout(6*time.Second), kgo.OnPartitionsLost(lost),
		kgo.OnPartitionsRevoked(func(ctx context.Context, c *kgo.Client, gone map[string][]int32) {
			check(c.CommitUncommittedOffsets(ctx))
			lost(ctx, c, gone)
		}),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, added map[string][]int32) {
			for _, partition := range added[topic] {
				owned[partition] = true
			}
			tellOwned()
		}))
	ctx, stop := context.WithCancel(ctx)
	go func() {
		_, _ = io.ReadAll(os.Stdin)
		stop()
	}()
	for ctx.Err() == nil {
		fetches := consumer.PollFetches(ctx)
		fetches.EachRecord(tellRecord)
		consumer.AllowRebalance()
	}
	check(consumer.CommitUncommittedOffsets(context.Background()))
	consumer.CloseAllowingRebalance()
}

func transact(ctx context.Context, bootstrap, topic, source, group string) {
	session, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(bootstrap), kgo.TransactionalID(topic+"-id"),
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(source), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.RequireStableFetchOffsets())
	check(err)
	defer session.Close()
	for _, step := range []struct {
		value string
		end   kgo.TransactionEndTry
	}{{"lost", kgo.TryAbort}, {"kept", kgo.TryCommit}} {
		for read := 0; read < 42; {
			fetches := session.PollFetches(ctx)
			check(fetches.Err())
			read += fetches.NumRecords()
		}
		check(session.Begin())
		check(session.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(step.value)}).FirstErr())
		committed, err := session.End(ctx, step.end)
		check(err)
		if committed != bool(step.end) {
			log.Fatalf("transaction %q: committed is %v", step.value, committed)
		}
		tell(fields{"ended": step.value})
	}
}

func retention(ctx context.Context, admin *kadm.Client, topic string) string {
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	check(err)
	for _, config := range configs[0].Configs {
		if config.Key == "retention.ms" {
			return config.MaybeValue()
		}
	}
	return ""
}

func admin(ctx context.Context, bootstrap, topic string) {
	plain := client(bootstrap, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer plain.Close()
	admin := kadm.NewClient(plain)
	before, after := "123456", "654321"
	_, err := admin.CreateTopic(ctx, 2, 1, map[string]*string{"retention.ms": &before}, topic)
	check(err)
	created := retention(ctx, admin, topic)
	altered, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Name: "retention.ms", Value: &after}}, topic)
	check(err)
	check(altered[0].Err)
	grown, err := admin.UpdatePartitions(ctx, 5, topic)
	check(err)
	check(grown.Error())
	for i := range 10 {
		check(plain.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(strconv.Itoa(i))}).FirstErr())
	}
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 4, -1)
	removed, err := admin.DeleteRecords(ctx, offsets)
	check(err)
	check(removed.Error())
	starts, err := admin.ListStartOffsets(ctx, topic)
	check(err)
	start, _ := starts.Lookup(topic, 0)
	groups, err := admin.ListGroups(ctx)
	check(err)
	details, err := admin.ListTopics(ctx, topic)
	check(err)
	changed := retention(ctx, admin, topic)
	_, err = admin.DeleteTopic(ctx, topic)
	check(err)
	left, err := admin.ListTopics(ctx)
	check(err)
	tell(fields{"created": created, "changed": changed, "partitions": len(details[topic].Partitions),
		"log_start": start.Offset, "groups": groups.Groups(), "topic_left": left.Has(topic)})
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func main() {
	ctx := context.Background()
	bootstrap, args := os.Args[1], os.Args[3:]
	switch os.Args[2] {
	case "produce":
		produce(ctx, bootstrap, args[0], number(args[1]), args[2])
	case "consume":
		consume(ctx, bootstrap, args[0], number(args[1]))
	case "member":
		member(ctx, bootstrap, args[0], args[1])
	case "transact":
		transact(ctx, bootstrap, args[0], args[1], args[2])
	case "admin":
		admin(ctx, bootstrap, args[0])
	default:
		log.Fatal("no such command: " + strings.Join(os.Args, " "))
	}
}

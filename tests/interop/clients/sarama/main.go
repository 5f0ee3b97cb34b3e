// Sarama with the commands of ../README.md.
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
	"sync"
	"time"

	"github.com/IBM/sarama"
)

type fields map[string]any

var (
	out     = json.NewEncoder(os.Stdout)
	outLock sync.Mutex
)

func tell(f fields) {
	outLock.Lock()
	defer outLock.Unlock()
	check(out.Encode(f))
}

func tellRecord(m *sarama.ConsumerMessage) {
	tell(fields{"partition": m.Partition, "offset": m.Offset, "value": string(m.Value)})
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

var codecs = map[string]sarama.CompressionCodec{
	"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP, "snappy": sarama.CompressionSnappy,
	"lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
}

// config has the newest protocol that the library speaks.
func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Successes = true
	c.Net.MaxOpenRequests = 1
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Return.Errors = true
	return c
}

func produce(bootstrap, topic string, count int, codec string) {
	c := config()
	c.Producer.Compression = codecs[codec]
	c.Producer.Flush.Frequency = 5 * time.Millisecond
	producer, err := sarama.NewAsyncProducer([]string{bootstrap}, c)
	check(err)
	go func() {
		for i := range count {
			producer.Input() <- &sarama.ProducerMessage{
				Topic: topic, Key: sarama.StringEncoder(fmt.Sprintf("k%d", i)), Value: sarama.StringEncoder(fmt.Sprintf("%s-%d", codec, i)),
				Headers: []sarama.RecordHeader{{Key: []byte("n"), Value: []byte(strconv.Itoa(i))}},
			}
		}
	}()
	for range count {
		select {
		case <-producer.Successes():
		case failed := <-producer.Errors():
			check(failed)
		}
	}
	check(producer.Close())
	tell(fields{"acknowledged": count})
}

func consume(bootstrap, topic string, count int) {
	consumer, err := sarama.NewConsumer([]string{bootstrap}, config())
	check(err)
	partitions, err := consumer.Partitions(topic)
	check(err)
	messages := make(chan *sarama.ConsumerMessage)
	for _, partition := range partitions {
		reader, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
		check(err)
		go func() {
			for failed := range reader.Errors() {
				check(failed)
			}
		}()
		go func() {
			for message := range reader.Messages() {
				messages <- message
			}
		}()
	}
	for range count {
		tellRecord(<-messages)
	}
}

// handler tells what a member of a group gets.
type handler struct{ topic string }

func (h handler) Setup(session sarama.ConsumerGroupSession) error {
	owned := append([]int32{}, session.Claims()[h.topic]...)
	sort.Slice(owned, func(i, j int) bool { return owned[i] < owned[j] })
	tell(fields{"assigned": owned})
	return nil
}

func (handler) Cleanup(session sarama.ConsumerGroupSession) error {
	session.Commit()
	return nil
}

func (handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		tellRecord(message)
		session.MarkMessage(message, "")
	}
	return nil
}

func member(bootstrap, topic, name string) {
	c := config()
	c.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	group, err := sarama.NewConsumerGroup([]string{bootstrap}, name, c)
	check(err)
	go func() {
		for failed := range group.Errors() {
			log.Print(failed)
		}
	}()
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.ReadAll(os.Stdin)
		stop()
	}()
	for ctx.Err() == nil {
		check(group.Consume(ctx, []string{topic}, handler{topic}))
	}
	check(group.Close())
}

func transact(bootstrap, topic, source, group string) {
	c := config()
	c.Producer.Transaction.ID = topic + "-id"
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, c)
	check(err)
	for _, step := range []struct {
		value  string
		offset int64
		end    func() error
	}{{"lost", 7, producer.AbortTxn}, {"kept", 42, producer.CommitTxn}} {
		check(producer.BeginTxn())
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(step.value)})
		check(err)
		check(producer.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{
			source: {{Partition: 0, Offset: step.offset}}}, group))
		check(step.end())
		tell(fields{"ended": step.value})
	}
	check(producer.Close())
}

func retention(admin sarama.ClusterAdmin, topic string) string {
	entries, err := admin.DescribeConfig(sarama.ConfigResource{
		Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"retention.ms"}})
	check(err)
	return entries[0].Value
}

func admin(bootstrap, topic string) {
	c := config()
	c.Producer.Partitioner = sarama.NewManualPartitioner
	admin, err := sarama.NewClusterAdmin([]string{bootstrap}, c)
	check(err)
	before, after := "123456", "654321"
	check(admin.CreateTopic(topic, &sarama.TopicDetail{
		NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: map[string]*string{"retention.ms": &before}}, false))
	created := retention(admin, topic)
	check(admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"retention.ms": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &after}}, false))
	check(admin.CreatePartitions(topic, 5, nil, false))
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, c)
	check(err)
	for i := range 10 {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(strconv.Itoa(i))})
		check(err)
	}
	check(producer.Close())
	check(admin.DeleteRecords(topic, map[int32]int64{0: 4}))
	starts, err := admin.ListOffsets(map[string]map[int32]int64{topic: {0: sarama.OffsetOldest}}, nil)
	check(err)
	listed, err := admin.ListConsumerGroups()
	check(err)
	groups := []string{}
	for group := range listed {
		groups = append(groups, group)
	}
	sort.Strings(groups)
	details, err := admin.DescribeTopics([]string{topic})
	check(err)
	changed := retention(admin, topic)
	check(admin.DeleteTopic(topic))
	left, err := admin.ListTopics()
	check(err)
	_, topicLeft := left[topic]
	tell(fields{"created": created, "changed": changed, "partitions": len(details[0].Partitions),
		"log_start": starts[topic][0].Offset, "groups": groups, "topic_left": topicLeft})
	check(admin.Close())
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func main() {
	bootstrap, args := os.Args[1], os.Args[3:]
	switch os.Args[2] {
	case "produce":
		produce(bootstrap, args[0], number(args[1]), args[2])
	case "consume":
		consume(bootstrap, args[0], number(args[1]))
	case "member":
		member(bootstrap, args[0], args[1])
	case "transact":
		transact(bootstrap, args[0], args[1], args[2])
	case "admin":
		admin(bootstrap, args[0])
	default:
		log.Fatal("no such command: " + strings.Join(os.Args, " "))
	}
}
